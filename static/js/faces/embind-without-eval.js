/**
 * Lets OpenCV.js start under a Content-Security-Policy without `'unsafe-eval'`.
 *
 * Emscripten's embind, as OpenCV.js 4.12 has it, writes the glue around each C++ function as source
 * text and compiles it with `new Function`. There are four kinds of such text. The stand-in for
 * `Function` here tells them apart and answers with a closure that does the same, which is what
 * newer Emscripten does by itself (`-sDYNAMIC_EXECUTION=0`); any other text is refused.
 */

/** @typedef {(...values: any[]) => any} AnyFunction */
/** @typedef {{toWireType: AnyFunction, fromWireType: AnyFunction, readValueFromPointer: AnyFunction, argPackAdvance: number, deleteObject?: AnyFunction, isVoid?: boolean}} WireType */

/**
 * Put the stand-in in the place of the global `Function`.
 * @param {object} scope the worker's global scope
 * @returns {() => void} puts the real one back
 */
export function replaceFunctionConstructor(scope) {
  const original = Function;
  /** @param {string[]} texts parameter names, then the body */
  function StandIn(...texts) {
    return buildFunction(texts.slice(0, -1), texts[texts.length - 1] ?? "");
  }
  StandIn.prototype = original.prototype; // embind asks whether things are `instanceof Function`
  Reflect.set(scope, "Function", StandIn);
  return () => {
    Reflect.set(scope, "Function", original);
  };
}

/**
 * @param {string[]} parameters @param {string} body
 * @returns {AnyFunction} what `new Function(...parameters, body)` would be
 */
export function buildFunction(parameters, body) {
  if (parameters[0] === "body" && body.includes("return body.apply(this, arguments)")) return nameFunction;
  if (parameters[0] === "dynCall" && body.includes("return dynCall(rawFunction")) return makeDynamicCaller;
  if (parameters[0] === "throwBindingError") return makeInvokerFactory(parameters, body);
  if (parameters[0] === "retType" && body.includes("handle[name](")) return makeMethodCaller;
  throw new Error(`OpenCV.js asks for code that is not known here: (${parameters.join(", ")}) ${body}`);
}

/** @param {AnyFunction} body @returns {AnyFunction} that can also be called with `new` */
function nameFunction(body) {
  return /** @this {unknown} @param {any[]} values */ function (...values) {
    return body.apply(this, values);
  };
}

/** @param {AnyFunction} dynCall @param {number} rawFunction @returns {AnyFunction} */
function makeDynamicCaller(dynCall, rawFunction) {
  return (...values) => dynCall(rawFunction, ...values);
}

/**
 * The glue of a C++ function: values to the wire, the call, clean-up, the result from the wire.
 * @param {string[]} parameters @param {string} body @returns {AnyFunction}
 */
function makeInvokerFactory(parameters, body) {
  const count = parameters.filter((name) => /^argType\d+$/.test(name)).length;
  const freed = parameters.filter((name) => name.endsWith("Wired_dtor"));
  const isMethod = body.includes("var thisWired = ");
  const keepsStack = body.includes("var destructors = [];");
  const returns = body.includes("var rv = ");
  /** @param {WireType} returnType @param {WireType} classType @param {any[]} rest types, then destructors */
  return (throwBindingError, invoker, target, runDestructors, returnType, classType, ...rest) => {
    const types = /** @type {WireType[]} */ (rest.slice(0, count));
    const destructors = /** @type {AnyFunction[]} */ (rest.slice(count));
    return /** @this {unknown} @param {any[]} values */ function (...values) {
      if (values.length !== count) {
        throwBindingError(`function called with ${values.length} arguments, expected ${count} args!`);
      }
      const stack = keepsStack ? [] : null;
      const self = isMethod ? [classType.toWireType(stack, this)] : [];
      const wired = types.map((type, index) => type.toWireType(stack, values[index]));
      const result = invoker(target, ...self, ...wired);
      if (stack) runDestructors(stack);
      for (const [index, name] of freed.entries()) {
        destructors[index]?.(name.startsWith("this") ? self[0] : wired[Number.parseInt(name.slice(3), 10)]);
      }
      return returns ? returnType.fromWireType(result) : undefined;
    };
  };
}

/**
 * The glue of a JavaScript method that C++ calls.
 * @param {WireType} returnType @param {WireType[]} types @returns {AnyFunction}
 */
function makeMethodCaller(returnType, ...types) {
  return (handle, name, destructors, address) => {
    let offset = 0;
    const values = types.map((type) => {
      const value = type.readValueFromPointer(address + offset);
      offset += type.argPackAdvance;
      return value;
    });
    const result = handle[name](...values);
    for (const [index, type] of types.entries()) type.deleteObject?.(values[index]);
    return returnType.isVoid ? undefined : returnType.toWireType(destructors, result);
  };
}

/** The few names of OpenCV.js that the worker uses. */

interface CvObject {
  delete(): void;
}

interface CvMat extends CvObject {
  readonly rows: number;
  readonly cols: number;
  data: Uint8Array;
  data32F: Float32Array;
  roi(rectangle: CvRect): CvMat;
}

interface CvRect {
  x: number;
  y: number;
  width: number;
  height: number;
}

interface CvVector<T> extends CvObject {
  size(): number;
  get(index: number): T;
}

interface CvCascadeClassifier extends CvObject {
  load(path: string): boolean;
  detectMultiScale2(
    picture: CvMat,
    windows: CvVector<CvRect>,
    votes: CvVector<number>,
    scaleFactor: number,
    neighbours: number,
    flags: number,
    smallest: object,
    largest: object,
  ): void;
}

interface CvNet extends CvObject {
  setInput(blob: CvMat): void;
  forward(): CvMat;
}

interface OpenCv {
  then?: unknown;
  calledRun?: boolean;
  onRuntimeInitialized?: () => void;
  onAbort?: (reason: unknown) => void;
  HEAPU8: Uint8Array;
  Mat: { new (): CvMat; new (rows: number, columns: number, type: number): CvMat };
  Rect: new (x: number, y: number, width: number, height: number) => CvRect;
  Size: new (width: number, height: number) => object;
  Scalar: new (...values: number[]) => object;
  RectVector: new () => CvVector<CvRect>;
  IntVector: new () => CvVector<number>;
  CascadeClassifier: new () => CvCascadeClassifier;
  CV_8UC1: number;
  CV_8UC3: number;
  CV_8UC4: number;
  CV_32F: number;
  CV_64F: number;
  COLOR_RGBA2GRAY: number;
  COLOR_RGBA2RGB: number;
  INTER_AREA: number;
  ROTATE_90_CLOCKWISE: number;
  ROTATE_180: number;
  ROTATE_90_COUNTERCLOCKWISE: number;
  rotate(source: CvMat, target: CvMat, way: number): void;
  INTER_LINEAR: number;
  INTER_LINEAR_EXACT: number;
  BORDER_CONSTANT: number;
  matFromArray(rows: number, columns: number, type: number, values: number[]): CvMat;
  cvtColor(from: CvMat, to: CvMat, code: number): void;
  resize(from: CvMat, to: CvMat, size: object, fx: number, fy: number, interpolation: number): void;
  copyMakeBorder(
    from: CvMat, to: CvMat, top: number, bottom: number, left: number, right: number, border: number, value: object,
  ): void;
  readNetFromTFLite(path: string): CvNet;
  blobFromImage(
    from: CvMat, scale: number, size: object, mean: object, swapRedBlue: boolean, crop: boolean, depth: number,
  ): CvMat;
  equalizeHist(from: CvMat, to: CvMat): void;
  warpAffine(from: CvMat, to: CvMat, matrix: CvMat, size: object, flags: number, border: number, value: object): void;
  FS_createDataFile(
    folder: string, name: string, data: Uint8Array, canRead: boolean, canWrite: boolean, canOwn: boolean,
  ): void;
}

declare var cv: OpenCv;

/**
 * Light or dark: the reader's choice, else the system's. A plain script in the head, so that the
 * page never flashes in the wrong one.
 */
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;

  function readChoice() {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage is blocked: the system decides
    }
  }

  function apply() {
    root.dataset.bsTheme = readChoice() ?? (dark.matches ? "dark" : "light");
  }

  function toggle() {
    const theme = root.dataset.bsTheme === "dark" ? "light" : "dark";
    try {
      // Back at what the system says, the choice is forgotten and the page follows the system again.
      if (theme === (dark.matches ? "dark" : "light")) localStorage.removeItem("theme");
      else localStorage.setItem("theme", theme);
    } catch {
      // The theme lasts until the page is left.
    }
    root.dataset.bsTheme = theme;
  }

  apply();
  dark.addEventListener("change", apply);
  addEventListener("storage", apply);
  addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme-button")?.addEventListener("click", toggle);
  });
})();

/* Runs in a page, and answers with what keeps people from using it. */
(() => {
  /** Controls without a name that a screen reader can say. */
  const controls = [...document.querySelectorAll('input, select, textarea, button, a')];
  const isNamed = (it) => it.labels?.length > 0 || it.textContent.trim() !== '' || it.hasAttribute('aria-label');
  const unlabelled = controls.filter((it) => !isNamed(it)).map((it) => it.outerHTML);

  const parse = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [red, green, blue] = colour.map((part) => {
      const share = part / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if ((colour[3] ?? 1) === 1) return colour;
    }
    return [255, 255, 255];
  };
  const contrast = (element) => {
    const [text, behind] = [luminance(parse(getComputedStyle(element).color)), luminance(ground(element))];
    return (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05);
  };
  const hasText = (element) =>
    [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '');
  const visible = [...document.querySelectorAll('body *')].filter(
    (element) => hasText(element) && element.checkVisibility(),
  );
  /** Texts whose contrast with what is behind them is below 4.5 (WCAG 2.2, 1.4.3). */
  const pale = visible
    .filter((element) => !element.disabled && contrast(element) < 4.5)
    .map((element) => `${contrast(element).toFixed(2)} ${element.outerHTML.slice(0, 120)}`);
  return { unlabelled, pale };
})();

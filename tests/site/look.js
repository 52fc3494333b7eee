// What a browser sees of a page, measured in it. Called by crawl.py as a function of nothing.
() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const known = new Map();
  // Any colour that CSS can write, as [red, green, blue, opacity], each from 0 to 1.
  const colour = (text) => {
    if (!known.has(text)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = text;
      canvas.fillRect(0, 0, 1, 1);
      known.set(text, [...canvas.getImageData(0, 0, 1, 1).data].map((x) => x / 255));
    }
    return known.get(text);
  };
  const over = (top, below) => {
    const mixed = [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
    return [...mixed, 1];
  };
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(colour(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [1, 1, 1, 1]);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  // WCAG 2.2, 1.4.3: 4.5 to 1, and 3 to 1 for large letters.
  const pale = new Map();
  let texts = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    const words = walk.currentNode.textContent.trim();
    if (!words || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(element.tagName)) continue;
    if (!element.checkVisibility({ visibilityProperty: true })) continue;
    texts += 1;
    const style = getComputedStyle(element);
    const below = behind(element);
    let ink = [...colour(style.color)];
    for (let e = element; e; e = e.parentElement) ink[3] *= Number(getComputedStyle(e).opacity);
    if (ink[3] === 0) continue; // shown only where the pointer is
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const found = contrast(over(ink, below), below);
    if (found < (large ? 3 : 4.5)) {
      const where = `${element.tagName.toLowerCase()}.${element.className}`;
      pale.set(where + style.color, `${found.toFixed(2)} in ${where}: ${words.slice(0, 40)}`);
    }
  }
  // Neither the page nor a box around all of its text may scroll or be cut off sideways.
  const wide = new Set();
  let scroll = 0;
  const text = document.querySelector("article") ?? document.querySelector("main");
  for (let box = text; box; box = box.parentElement) {
    // A heading's background may hang over by a few pixels where nothing cuts it off.
    const cuts = box === document.documentElement || getComputedStyle(box).overflowX !== "visible";
    if (!cuts || box.scrollWidth <= box.clientWidth + 1) continue;
    scroll = Math.max(scroll, box.scrollWidth - box.clientWidth);
    const edge = box.getBoundingClientRect().left + box.clientLeft + box.clientWidth;
    for (const inner of box.querySelectorAll("*"))
      if (inner.getBoundingClientRect().right > edge + 1)
        wide.add(`${inner.tagName.toLowerCase()}.${inner.className}`);
  }
  return { texts, pale: [...pale.values()], wide: [...wide].slice(0, 8), scroll };
}

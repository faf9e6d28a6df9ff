// What a page looks like, measured where it is shown. Everything here returns plain lists, so that a test can name what is amiss.
(() => {
  const channels = (text) => {
    const parts = text.match(/[\d.]+/g).map(Number);
    // color(srgb r g b / a) has parts of one, rgb() has bytes.
    const [r, g, b] = text.startsWith("color") ? parts : parts.slice(0, 3).map((part) => part / 255);
    return { r, g, b, a: parts[3] ?? 1 };
  };
  const over = (top, under) => {
    const mix = (one, other) => one * top.a + other * (1 - top.a);
    return { r: mix(top.r, under.r), g: mix(top.g, under.g), b: mix(top.b, under.b), a: 1 };
  };
  const luminance = ({ r, g, b }) => {
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  };
  const contrast = (one, other) => {
    const [a, b] = [luminance(one), luminance(other)];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  // What an element stands on: all grounds above each other, down to the paper.
  const ground = (element) => {
    const grounds = [];
    for (let at = element; at; at = at.parentElement) grounds.push(channels(getComputedStyle(at).backgroundColor));
    return grounds.reverse().reduce((under, top) => over(top, under));
  };
  const isShown = (element) => {
    const box = element.getBoundingClientRect();
    return element.checkVisibility({ visibilityProperty: true }) && box.width > 0 && box.right > 0;
  };
  const named = (element) => {
    const text = element.getAttribute("aria-label") || element.innerText || element.textContent || "";
    return `${element.localName}${element.name ? `[${element.name}]` : ""} ${text.trim().slice(0, 40)}`.trim();
  };

  // Texts that cannot be read well: WCAG 2.2, 1.4.3 at its stricter limit for all sizes.
  const faint = () => {
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      if (!walker.currentNode.data.trim() || !isShown(element) || element.closest("title, defs, script")) continue;
      const style = getComputedStyle(element);
      const isDrawn = element instanceof SVGElement;
      const under = ground(isDrawn ? element.closest("figure, div, body") : element);
      const ratio = contrast(over(channels(isDrawn ? style.fill : style.color), under), under);
      if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${named(element)}`);
    }
    for (const input of document.querySelectorAll("input:placeholder-shown")) {
      const under = ground(input);
      const ratio = contrast(over(channels(getComputedStyle(input, "::placeholder").color), under), under);
      if (ratio < 4.5 && input.placeholder.trim()) found.push(`${ratio.toFixed(2)} ${input.placeholder}`);
    }
    return found;
  };

  // Labels of charts that touch each other, what is drawn, or the text above the chart; and how many there are below charts.
  const labels = () => {
    const touching = [];
    let count = 0;
    const boxed = (elements) => [...elements].filter(isShown).map((element) => [element.getBoundingClientRect(), element.textContent]);
    for (const chart of document.querySelectorAll("figure svg[role=img]")) {
      const boxes = boxed(chart.querySelectorAll("text.tick"));
      const frame = chart.getBoundingClientRect();
      count += boxes.length;
      // Times stand in one row, days in another.
      const rows = Map.groupBy(boxes, ([box]) => Math.round(box.top));
      for (const row of rows.values()) {
        row.sort((one, other) => one[0].left - other[0].left);
        row.forEach(([box, text], number) => {
          const next = row[number + 1];
          if (next && box.right + 4 > next[0].left) touching.push(`${text} touches ${next[1]}`);
        });
      }
      const texts = boxed(chart.querySelectorAll("text"));
      const marks = [...chart.querySelectorAll("rect:not(.column), path, line:not(.tick, .grid, .hatch)")].map((mark) => [mark.getBoundingClientRect(), mark]);
      texts.forEach(([box, text], number) => {
        if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 1) touching.push(`${text} leaves its chart`);
        const meets = ([other]) => box.left < other.right && other.left < box.right && box.top + 2 < other.bottom && other.top < box.bottom - 2;
        for (const [, mark] of marks.filter(meets).slice(0, 1)) touching.push(`${text} is crossed by a ${mark.localName} ${mark.getAttribute("class")}`);
        for (const [, other] of texts.slice(number + 1).filter(meets)) touching.push(`${text} touches ${other}`);
      });
    }
    for (const figure of document.querySelectorAll("figure")) {
      const above = figure.previousElementSibling;
      const gap = above ? figure.getBoundingClientRect().top - above.getBoundingClientRect().bottom : 10;
      if (gap < 8) touching.push(`${gap} pixels below ${named(above)}`);
    }
    return { touching, count };
  };

  // Pixels by which the page is wider than the window.
  const overflow = () => document.documentElement.scrollWidth - window.innerWidth;

  // What has the focus: what it is, where, and how its outline stands out from what it stands on.
  const focus = () => {
    const element = document.activeElement;
    if (!element || element === document.body) return null;
    const box = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    const under = ground(element.parentElement);
    const outline = style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth);
    return {
      name: named(element),
      top: box.top + window.scrollY,
      left: box.left,
      bottom: box.bottom + window.scrollY,
      isSeen: box.bottom > 0 && box.top < window.innerHeight && box.right > 0 && box.left < window.innerWidth,
      outline,
      contrast: contrast(channels(style.outlineColor), under),
    };
  };

  // How many stops the keyboard has to make, by what a page is made of.
  const stops = () =>
    [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")].filter(
      (element) => element.checkVisibility({ visibilityProperty: true }) && !element.disabled,
    ).length;

  return { faint, labels, overflow, focus, stops };
})()

// Making elements. Text of others comes in as text nodes and attributes only, never as HTML.

export const element = (tag, properties = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
};

const SVG = "http://www.w3.org/2000/svg";

// An icon of the sprite in index.html; what it means is said beside it or by its button.
export const icon = (name) => {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  drawing.append(use);
  return drawing;
};

export const find = (selector) => document.querySelector(selector);

// A command to be read; lines break between its words.
export const showCommand = (place, command) => {
  const words = command.split(" ").map((word) => element("span", { textContent: word }));
  place.replaceChildren(...words.flatMap((word, index) => (index === 0 ? [word] : [" ", word])));
};

// Calls a function at most every so many milliseconds, and always after the last request.
export const throttled = (call, milliseconds) => {
  let timer = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      call();
    }, milliseconds);
  };
};

// A button that copies a text, and says for a moment that it did.
export const copyOnClick = (button, textOf) => {
  button.addEventListener("click", async () => {
    const before = button.title;
    try {
      await navigator.clipboard.writeText(textOf());
      button.title = "Copied";
      button.classList.add("done");
    } catch {
      button.title = "The browser does not let the page copy";
    }
    setTimeout(() => {
      button.title = before;
      button.classList.remove("done");
    }, 1500);
  });
};

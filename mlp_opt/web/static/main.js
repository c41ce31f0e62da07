// The shell: tabs, theme, connection. A tab is a module with `title` and `open(page)`.

import { h } from "./dom.js";
import { Baked, CANNOT, Live } from "./transport.js";
import * as race from "./race.js";

const TABS = { race };

const notice = document.getElementById("notice");
function tell(text) {
  notice.hidden = !text;
  notice.textContent = text ?? "";
}

function themeButton(page) {
  const names = { auto: "Theme: as the system", light: "Theme: light", dark: "Theme: dark" };
  const signs = { auto: "◐", light: "☀", dark: "☾" };
  const keep = (theme) => { try { localStorage.setItem("theme", theme); } catch { /* no storage for a file */ } };
  let theme = "auto";
  try { theme = localStorage.getItem("theme") ?? "auto"; } catch { /* none */ }
  const apply = () => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = signs[theme];
    button.setAttribute("aria-label", names[theme]);
    button.title = names[theme];
    page.tab?.repaint();
  };
  const button = h("button", { type: "button", class: "quiet", onclick: () => {
    theme = { auto: "light", light: "dark", dark: "auto" }[theme];
    keep(theme);
    apply();
  } });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  apply();
  return button;
}

function start() {
  const kept = document.getElementById("baked");
  const data = kept ? JSON.parse(kept.textContent) : null;
  if (data?.hash && !location.hash) history.replaceState(null, "", `#${data.hash}`);
  const page = { tell, tab: null };
  page.transport = data ? new Baked(data.frames) : new Live((up) => tell(up ? null : "The server does not answer. Trying again …"));
  document.body.classList.toggle("baked", Boolean(data));
  if (data) tell(CANNOT);
  const names = Object.keys(TABS);
  const chosen = names.find((name) => location.hash.startsWith(`#${name}`)) ?? names[0];
  document.getElementById("tabs").replaceChildren(...names.map((name) =>
    h("a", { role: "tab", href: `#${name}`, "aria-selected": String(name === chosen), class: name === chosen ? "chosen" : "" }, TABS[name].title)));
  page.root = document.getElementById("page");
  page.tools = document.getElementById("tools");
  page.tab = TABS[chosen].open(page);
  page.tools.append(themeButton(page));
}

start();

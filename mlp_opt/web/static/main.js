// The shell: tabs, theme, connection. A tab is a module with `title` and `open(page)`, which returns an object with `repaint()`.
// What it adds to window and document it must add with page.signal, which ends when another tab is opened.

import { h } from "./dom.js";
import { Baked, CANNOT, Live } from "./transport.js";
import * as landscape from "./landscape.js";
import * as noise from "./noise.js";
import * as playground from "./playground.js";
import * as race from "./race.js";
import * as sweep from "./sweep.js";

const TABS = { race, noise, playground, landscape, sweep };

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

const within = (hash, name) => hash === `#${name}` || hash.startsWith(`#${name}?`);

function start() {
  const kept = document.getElementById("baked");
  const data = kept ? JSON.parse(kept.textContent) : null;
  if (data?.hash && !location.hash) history.replaceState(null, "", `#${data.hash}`);
  const live = data ? new Baked(data.frames) : new Live((up) => tell(up ? null : "The server does not answer. Trying again …"));
  document.body.classList.toggle("baked", Boolean(data));
  if (data) tell(CANNOT);
  const names = data ? [data.tab] : Object.keys(TABS);
  const page = { tell, tab: null, root: document.getElementById("page"), tools: document.getElementById("tools") };
  const theme = themeButton(page);
  const bar = document.getElementById("tabs");
  const addresses = {}; // of each tab, as it was left
  let ended = null;
  let shown = null;
  const show = (name) => {
    ended?.abort();
    const { signal } = (ended = new AbortController());
    shown = name;
    const address = (hash) => { // the tab's state, which begins with its name
      if (signal.aborted) return;
      addresses[name] = hash;
      history.replaceState(null, "", `#${hash}`);
    };
    page.root.replaceChildren();
    page.tools.replaceChildren();
    document.title = `mlp_opt: ${TABS[name].title.toLowerCase()}`;
    bar.replaceChildren(...names.map((other) => h("a", {
      role: "tab", href: `#${other}`, "aria-selected": String(other === name), class: other === name ? "chosen" : "",
      onclick: (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        if (other !== name) location.hash = addresses[other] ?? other;
      },
    }, TABS[other].title)));
    page.tab = TABS[name].open({ ...page, signal, address, transport: live.until(signal) }); // its own: what it does late does not touch the next
    page.tools.prepend(theme);
  };
  const follow = () => {
    const name = names.find((other) => within(location.hash, other)) ?? shown ?? names[0];
    if (name !== shown) show(name);
  };
  window.addEventListener("hashchange", follow);
  follow();
}

start();

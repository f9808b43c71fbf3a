// Tabs with the keys that people expect: arrows, Home and End.

export function tabs(list, onShow) {
  const buttons = [...list.querySelectorAll('[role="tab"]')];
  const show = (chosen, focus) => {
    for (const button of buttons) {
      const on = button === chosen;
      button.setAttribute("aria-selected", on);
      button.tabIndex = on ? 0 : -1;
      document.getElementById(button.getAttribute("aria-controls")).classList.toggle("hidden", !on);
    }
    if (focus) chosen.focus();
    history.replaceState(null, "", `#${chosen.getAttribute("aria-controls")}`);
    onShow(chosen.getAttribute("aria-controls"));
  };
  buttons.forEach((button, place) => {
    button.addEventListener("click", () => show(button, false));
    button.addEventListener("keydown", (event) => {
      const target = {
        ArrowRight: buttons[(place + 1) % buttons.length],
        ArrowLeft: buttons[(place - 1 + buttons.length) % buttons.length],
        Home: buttons[0],
        End: buttons.at(-1),
      }[event.key];
      if (target) show(target, true);
    });
  });
  const named = buttons.find((button) => `#${button.getAttribute("aria-controls")}` === location.hash);
  if (named) show(named, false);
}

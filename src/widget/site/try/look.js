/** The controls of the theme. */

import { choice, colour, group, pixels, text } from "./controls.js";
import { agent, changeTheme, watch } from "./settings.js";

const to = (key) => (value) => changeTheme({ [key]: value });

export function lookGroup() {
  const controls = {
    color: colour("Theme colour", to("color")),
    accent: colour("Accent", to("accent")),
    mode: choice("Mode", [["auto", "Auto"], ["light", "Light"], ["dark", "Dark"]], to("mode")),
    side: choice("Corner", [["left", "Left"], ["right", "Right"]], to("side")),
    radius_px: pixels("Radius", 32, to("radius_px")),
    offset_x_px: pixels("From the side", 200, to("offset_x_px")),
    offset_y_px: pixels("From below", 200, to("offset_y_px")),
    launcher_icon: choice("Icon", [["chat", "Chat"], ["help", "Help"], ["spark", "Spark"]], to("launcher_icon")),
    launcher_label: text("Launcher label", 30, to("launcher_label")),
  };
  watch(() => {
    const { theme } = agent();
    for (const [key, control] of Object.entries(controls)) control.show(theme[key]);
  });
  return group("Look", ...Object.values(controls).map(({ node }) => node));
}

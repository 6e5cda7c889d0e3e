/** The six kites: what the shop knows of each, and which one suits a wind. */

/** `wind` is the least and the most it flies in, in knots; `price` is in euros. */
export const KITES = [
  {
    id: "wren",
    name: "Wren",
    kind: "Diamond",
    size: "86 × 102 cm",
    wind: [5, 16],
    price: 38,
    text: "The first kite for most people. Two ash spars, one tail, in the air within a minute.",
  },
  {
    id: "tern",
    name: "Tern",
    kind: "Delta",
    size: "span 210 cm",
    wind: [4, 18],
    price: 64,
    text: "Wide wings and a keel. It leans on almost any wind and stays where you let it stand.",
  },
  {
    id: "eider",
    name: "Eider",
    kind: "Sled",
    size: "70 × 90 cm",
    wind: [7, 18],
    price: 29,
    text: "No spars at all. It folds into a coat pocket, and small hands may drop it.",
  },
  {
    id: "harrier",
    name: "Harrier",
    kind: "Rokkaku",
    size: "120 × 150 cm",
    wind: [2, 12],
    price: 118,
    text: "Six sides, from Niigata by way of our table. It hangs in the last warm air of an evening.",
  },
  {
    id: "swift",
    name: "Swift",
    kind: "Two lines",
    size: "span 190 cm",
    wind: [7, 22],
    price: 96,
    text: "Steered with both hands. Quick, loud in the turns, and the one that teaches you the wind.",
  },
  {
    id: "gannet",
    name: "Gannet",
    kind: "Box",
    size: "60 × 60 × 110 cm",
    wind: [9, 27],
    price: 142,
    text: "Two cells on four carbon spars. It pulls like a dog and does not mind a gust.",
  },
];

/** What one sees of the wind, at how many knots, and the kite for it. */
export const WINDS = [
  { sign: "Smoke drifts", knots: 3, kite: "harrier", why: "Hardly any wind, and it hangs there all the same." },
  { sign: "Leaves rustle", knots: 5, kite: "tern", why: "It leans on this with all of its span." },
  { sign: "Flags stand out", knots: 9, kite: "wren", why: "The wind that we are named after, and the easiest kite for it." },
  { sign: "Branches move", knots: 14, kite: "swift", why: "Enough to feel what both hands do." },
  { sign: "Small trees sway", knots: 20, kite: "gannet", why: "It does not mind. Put gloves on." },
];

export const kiteById = (id) => KITES.find((kite) => kite.id === id);

export function flies({ wind: [least, most] }, knots) {
  return least <= knots && knots <= most;
}

/** Such as `€ 38`. */
export const euros = (amount) => `€ ${amount}`;

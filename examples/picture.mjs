// A picture to classify, as a canvas or an image decoder would give it: a red disc on white.
export function redDisc(side = 64) {
  const data = new Uint8ClampedArray(4 * side * side).fill(255);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      if (Math.hypot(x - side / 2, y - side / 2) < side / 3) data.set([200, 30, 30], 4 * (y * side + x));
    }
  }
  return { data, width: side, height: side };
}

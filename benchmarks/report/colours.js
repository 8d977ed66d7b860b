// Painting of maps on a canvas with a colour scale.
const VIRIDIS = ["440154", "482878", "3e4989", "31688e", "26828e", "1f9e89", "35b779", "6ece58", "b5de2b", "fde725"];
const DIVERGING = ["053061", "2166ac", "4393c3", "92c5de", "d1e5f0", "f7f7f7", "fddbc7", "f4a582", "d6604d", "b2182b", "67001f"];
const NOT_FINITE = 255;

const jet = (t) => [1.5 - Math.abs(4 * t - 3), 1.5 - Math.abs(4 * t - 2), 1.5 - Math.abs(4 * t - 1)]
  .map((x) => 255 * Math.min(1, Math.max(0, x)));

function between(anchors) {
  const colours = anchors.map((hex) => [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16)));
  return (t) => {
    const at = t * (colours.length - 1);
    const i = Math.min(colours.length - 2, Math.floor(at));
    return colours[i].map((x, channel) => x + (at - i) * (colours[i + 1][channel] - x));
  };
}

const COLOURS = { jet, viridis: between(VIRIDIS), diverging: between(DIVERGING) };

function bytes(packed) {
  packed.decoded ??= Uint8Array.from(atob(packed.bytes), (character) => character.charCodeAt(0));
  return packed.decoded;
}

// The values of the map at a position among packed maps, as floats; NaN where they were not finite.
function valuesOf(map, index) {
  const count = map.h * map.w;
  const [low, high] = [map.low[index], map.high[index]];
  return Float32Array.from(bytes(map).subarray(index * count, (index + 1) * count),
    (level) => level === NOT_FINITE ? NaN : low + (level / 254) * (high - low));
}

// The value of a map at x and y in [0, 1]: bilinear with half-pixel centres (align_corners=False), or the nearest value.
function valueAt(values, map, x, y, smooth) {
  const [u, v] = [x * map.w - 0.5, y * map.h - 0.5];
  const clamp = (i, n) => Math.min(n - 1, Math.max(0, i));
  const at = (i, j) => values[clamp(j, map.h) * map.w + clamp(i, map.w)];
  if (!smooth) return at(Math.round(u), Math.round(v));
  const [i, j] = [Math.floor(u), Math.floor(v)];
  const [a, b] = [u - i, v - j];
  return (1 - b) * ((1 - a) * at(i, j) + a * at(i + 1, j)) + b * ((1 - a) * at(i, j + 1) + a * at(i + 1, j + 1));
}

// A function from a value to its position on the colour scale, 0 to 1; on a diverging scale the value 0 is at 0.5.
function scale(low, high, diverging) {
  if (diverging) {
    const most = Math.max(Math.abs(low), Math.abs(high)) || 1;
    return (value) => 0.5 + value / (2 * most);
  }
  return (value) => high > low ? (value - low) / (high - low) : 0;
}

function paint(canvas, picture, map, index, { colours, opacity, smooth }) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (picture) context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const image = context.getImageData(0, 0, canvas.width, canvas.height);
  const values = valuesOf(map, index);
  const place = scale(map.low[index], map.high[index], colours === "diverging");
  const share = picture ? opacity : 1;
  for (let y = 0, k = 0; y < canvas.height; y++) {
    for (let x = 0; x < canvas.width; x++, k += 4) {
      const value = valueAt(values, map, (x + 0.5) / canvas.width, (y + 0.5) / canvas.height, smooth);
      const colour = Number.isNaN(value) ? [128, 128, 128] : COLOURS[colours](Math.min(1, Math.max(0, place(value))));
      for (let c = 0; c < 3; c++) image.data[k + c] = (1 - share) * image.data[k + c] + share * colour[c];
      image.data[k + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
}

// The scene in depth: its plate and layers over each other, moved apart as the pointer moves.

const TRAVEL = 0.035; // of the width, between the plate and the nearest layer, from rest to the end of the tilt
const PIVOT = 0.35; // the depth (0 plate, 1 nearest) that stands still
const ZOOM = 1 + 2 * TRAVEL; // so that no edge of the plate shows

/** Place `node` where a layer lies on the photo. */
function placeOn(node, place, photo) {
  node.style.left = `${(100 * place.x) / photo.width}%`;
  node.style.top = `${(100 * place.y) / photo.height}%`;
  node.style.width = `${(100 * place.width) / photo.width}%`;
  node.style.height = `${(100 * place.height) / photo.height}%`;
}

function depthPicture(box) {
  let shown = "";
  let sheets = [];
  let tilt = { x: 0, y: 0 };
  let asked = 0;

  function draw() {
    asked = 0;
    const width = box.clientWidth;
    sheets.forEach((sheet, index) => {
      const lift = index / Math.max(1, sheets.length - 1) - PIVOT;
      sheet.style.transform = `translate(${-tilt.x * lift * TRAVEL * width}px, ${-tilt.y * lift * TRAVEL * width}px)`;
    });
  }

  function turn(x, y) {
    tilt = { x: Math.max(-1, Math.min(1, x)), y: Math.max(-1, Math.min(1, y)) };
    asked = asked || requestAnimationFrame(draw);
  }

  function sheetOf(url, place, photo) {
    const sheet = make("div", "shf-depth-sheet");
    const image = make("img");
    image.alt = "";
    image.draggable = false;
    image.src = url;
    placeOn(image, place, photo);
    sheet.append(image);
    return sheet;
  }

  box.style.setProperty("--zoom", ZOOM);
  box.addEventListener("pointermove", (event) => {
    const frame = box.getBoundingClientRect();
    turn((2 * (event.clientX - frame.left)) / frame.width - 1, (2 * (event.clientY - frame.top)) / frame.height - 1);
  });
  box.addEventListener("pointerleave", () => turn(0, 0));
  box.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [-0.2, 0], ArrowRight: [0.2, 0], ArrowUp: [0, -0.2], ArrowDown: [0, 0.2] }[event.key];
    if (!move) return;
    event.preventDefault();
    turn(tilt.x + move[0], tilt.y + move[1]);
  });

  return {
    /** scene: {plate, layers back to front}; undefined hides it. */
    show(scene, photo) {
      box.hidden = !scene;
      const signature = JSON.stringify(scene || null);
      if (signature === shown) return;
      shown = signature;
      const whole = { x: 0, y: 0, ...photo };
      sheets = scene ? [sheetOf(scene.plate, whole, photo), ...scene.layers.map((layer) => sheetOf(layer.url, layer, photo))] : [];
      box.replaceChildren(...sheets);
    },
  };
}

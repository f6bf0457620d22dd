// --- painters: what puts a cell on the canvas. paint(view, size, lids): `view` as `at` gives it, `size` in px of the
// canvas, `lids` as closedLids gives them, or nothing while the eyes are open.

class Plain {
  constructor(canvas) {
    Object.assign(this, { canvas, context: canvas.getContext("2d") });
  }

  paint({ image, x, y, width, height }, size, lids) {
    const { canvas, context } = this;
    if (canvas.width !== size.width || canvas.height !== size.height) Object.assign(canvas, size);
    context.imageSmoothingQuality = "high";
    context.clearRect(0, 0, size.width, size.height);
    context.drawImage(image, x, y, width, height, 0, 0, size.width, size.height);
    const [across, along] = [width / size.width, height / size.height];
    for (const { column, top, skin, lid } of lids ?? []) {
      context.drawImage(image, x + column * across, y + top * along, across, (skin - top) * along, column, top, 1, lid - top);
    }
  }
}

// <gaze-portrait renderer="pixi"> on a page that has loaded PixiJS 8: the same cells, drawn by WebGL.
class Pixi {
  static async open(canvas) {
    const { Application, Sprite } = globalThis.PIXI;
    const app = new Application();
    await app.init({ canvas, width: canvas.width, height: canvas.height, backgroundAlpha: 0, autoStart: false, preference: "webgl" });
    const sprite = app.stage.addChild(new Sprite());
    return Object.assign(new Pixi(), { app, sprite, kept: new Map() });
  }

  paint(view, size, lids) {
    const { app, sprite } = this;
    if (app.renderer.width !== size.width || app.renderer.height !== size.height) app.renderer.resize(size.width, size.height);
    const before = sprite.texture;
    sprite.texture = lids ? this.closing(view, size, lids) : this.texture(view);
    sprite.setSize(size.width, size.height);
    app.render();
    if (before.passing) before.destroy(true);
  }

  texture({ image, x, y, width, height }) {
    const { ImageSource, Rectangle, Texture } = globalThis.PIXI;
    const sheet = image instanceof HTMLImageElement; // these stay, decoded cells come and go
    const source = this.kept.get(image) ?? new ImageSource({ resource: image });
    if (sheet) this.kept.set(image, source);
    return Object.assign(new Texture({ source, frame: new Rectangle(x, y, width, height) }), { passing: !sheet });
  }

  closing(view, size, lids) {
    const sketch = new Plain(document.createElement("canvas"));
    sketch.paint(view, size, lids);
    return Object.assign(new globalThis.PIXI.Texture({ source: new globalThis.PIXI.CanvasSource({ resource: sketch.canvas }) }), {
      passing: true,
    });
  }

  close() {
    this.app.destroy({ removeView: false }, { children: true, texture: true, textureSource: true });
  }
}

const AHEAD = 4; // frames whose cells are decoded before they are due
const FRAME = 1000 / 60; // ms
const FOLLOW = 0.12; // of the way that is left, per frame
const KEY_STEP = 0.1; // of the way from the centre to an edge
const TILT_RANGE = 25; // degrees of the phone from the centre to an edge
const IDLE_AFTER = 3000; // ms without input before the small glances begin
const GLANCE = 0.12; // how far they go
const BLINKS = 0.3; // of all chances, which come every second or two
const ARRIVED = 0.002; // when the way left is that short, the drawing rests

const LABEL = "Portrait that looks at the pointer. The arrow keys turn it.";
const LOOK = `
  :host { display: block; position: relative; touch-action: none; -webkit-tap-highlight-color: transparent; }
  [hidden] { display: none !important; }
  canvas, img, ::slotted(img) { display: block; width: 100%; height: auto; max-height: 100%; object-fit: contain; }
  canvas, img, ::slotted(img) { user-select: none; -webkit-user-select: none; -webkit-touch-callout: none; }
  canvas:focus { outline: none; }
  canvas:focus-visible { outline: 2px solid Highlight; outline-offset: 2px; }
  button { position: absolute; right: 8px; bottom: 8px; min-height: 36px; padding: 4px 12px; font: 14px system-ui, sans-serif;
    color: #fff; background: rgb(0 0 0 / 55%); border: 1px solid rgb(255 255 255 / 45%); border-radius: 6px; }
  button[aria-pressed="true"] { color: #111; background: rgb(255 255 255 / 85%); }`;

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const clamp = (value) => Math.max(-1, Math.min(1, Number(value) || 0));

let connected = 0;

class GazePortrait extends HTMLElement {
  static observedAttributes = ["src"];

  static get decoded() { // for whoever watches the memory of a page
    return { cells: decoded.size, pixels };
  }

  #aim = { x: 0, y: 0 };
  #glance = { x: 0, y: 0 };
  #now = { x: 0, y: 0 };
  #shown = null; // [row, column]
  #touched = -Infinity;
  #level = null; // how the phone was held when tilting was switched on; null while it is off
  #frame = 0;
  #blinked = -Infinity; // when the last blink began
  #shut = 0; // how far the lids are down on the screen
  #eyes = [];

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).innerHTML = `<style>${LOOK}</style><slot><img alt=""></slot>
      <canvas role="img" tabindex="0" hidden></canvas><button type="button" aria-pressed="false" hidden>Tilt</button>`;
    [this.canvas, this.slotted, this.button] = ["canvas", "slot", "button"].map((name) => this.shadowRoot.querySelector(name));
  }

  // Where it looks: x -1 left to 1 right, y -1 up to 1 down. Can be set; every change is a "gaze" event.
  get gaze() {
    return { ...this.#now };
  }

  set gaze({ x, y }) {
    this.#aim = { x: clamp(x), y: clamp(y) };
    this.#glance = { x: 0, y: 0 };
    this.#touched = performance.now();
    this.#wake();
  }

  connectedCallback() {
    connected += 1;
    const leaving = (this.leaving = new AbortController());
    const on = (target, name, act) => target.addEventListener(name, (event) => act.call(this, event), { signal: leaving.signal });
    on(window, "pointermove", this.#pointed);
    on(document.documentElement, "pointerleave", (event) => { if (event.pointerType === "mouse") this.gaze = { x: 0, y: 0 }; });
    on(this, "pointerdown", this.#touch);
    on(this, "pointermove", this.#touch);
    on(this.canvas, "keydown", this.#key);
    on(this.button, "click", () => this.tilt(this.#level === null));
    on(window, "deviceorientation", this.#tilted);
    this.sizes = new ResizeObserver(([entry]) => { this.across = entry.contentRect.width; this.#redraw(); });
    this.sizes.observe(this);
    this.timer = setTimeout(() => this.#idle(), IDLE_AFTER);
    this.canvas.ariaLabel = this.getAttribute("label") || this.querySelector("img")?.alt || LABEL;
    const able = typeof DeviceOrientationEvent !== "undefined" && isSecureContext && matchMedia("(any-pointer: coarse)").matches;
    this.button.hidden = !able;
    this.#open();
  }

  disconnectedCallback() {
    connected -= 1;
    this.leaving.abort();
    this.sizes.disconnect();
    clearTimeout(this.timer);
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.pictures = null;
    this.#rest();
    if (!connected) [...decoded.keys()].forEach(drop);
  }

  attributeChangedCallback() {
    if (this.isConnected && this.leaving) this.#open();
  }

  async #open() {
    const folder = new URL((this.getAttribute("src") ?? ".").replace(/\/?$/, "/"), document.baseURI).href;
    const order = (this.order = Symbol(folder)); // a later src or a removal makes this one void
    const current = () => order === this.order && this.isConnected;
    const still = this.shadowRoot.querySelector("img");
    if (!this.querySelector("img")) still.src = `${folder}still.webp`;
    try {
      const about = await load(`${folder}metadata.js`).catch(async () => (await fetch(`${folder}metadata.json`)).json());
      const opened = await open(folder, about, (row, column) => { if (current()) this.#arrived(row, column); });
      const painter = await (this.opening ??= this.#paints(opened.pictures));
      if (!current()) return;
      Object.assign(this, opened, { painter });
      this.#eyes = about.eyes ?? [];
      this.canvas.style.aspectRatio = `${about.imageWidth} / ${about.imageHeight}`;
      this.#redraw();
      this.dispatchEvent(new CustomEvent("load"));
    } catch (error) {
      if (current()) this.dispatchEvent(new CustomEvent("error", { detail: error })); // the still picture stays
    }
  }

  // --- what it looks at

  #pointed(event) {
    if (event.pointerType === "touch") return;
    const box = this.getBoundingClientRect();
    const reach = Math.max(innerWidth, innerHeight) / 2;
    this.gaze = { x: (event.clientX - box.left - box.width / 2) / reach, y: (event.clientY - box.top - box.height / 2) / reach };
  }

  #touch(event) {
    if (event.pointerType !== "touch" || !event.isPrimary || event.composedPath()[0] === this.button) return;
    const box = this.getBoundingClientRect(); // a finger stays inside: the edges of the portrait are the ends of the way
    this.gaze = {
      x: (event.clientX - box.left - box.width / 2) / (box.width / 2),
      y: (event.clientY - box.top - box.height / 2) / (box.height / 2),
    };
  }

  #key(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], Home: [] }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const [x, y] = step;
    this.gaze = event.key === "Home" ? { x: 0, y: 0 } : { x: this.#aim.x + x * KEY_STEP, y: this.#aim.y + y * KEY_STEP };
  }

  // Follow the phone's tilt, from how it is held now, or stop. iOS asks the person, and only after a tap.
  async tilt(wanted = true) {
    const ask = globalThis.DeviceOrientationEvent?.requestPermission;
    if (wanted && ask && (await ask.call(DeviceOrientationEvent).catch(() => "denied")) !== "granted") wanted = false;
    this.#level = wanted ? undefined : null;
    this.button.ariaPressed = String(wanted);
    return wanted;
  }

  #tilted({ beta, gamma }) {
    if (this.#level === null || beta === null || gamma === null) return;
    const angle = screen.orientation?.angle ?? 0;
    const turn = (angle * Math.PI) / 180;
    const held = { x: gamma * Math.cos(turn) + beta * Math.sin(turn), y: beta * Math.cos(turn) - gamma * Math.sin(turn), angle };
    if (this.#level?.angle !== angle) this.#level = held; // at first, and when the screen was turned on its side
    // You stay where you are while the screen turns away, so it looks the other way to keep its eyes on you.
    this.gaze = { x: (this.#level.x - held.x) / TILT_RANGE, y: (this.#level.y - held.y) / TILT_RANGE };
  }

  #idle() { // eyes are never quite still
    this.timer = setTimeout(() => this.#idle(), 700 + 1500 * Math.random());
    if (calm.matches || document.hidden) return;
    if (Math.random() < BLINKS) this.blink();
    if (performance.now() - this.#touched < IDLE_AFTER) return;
    this.#glance = { x: GLANCE * (2 * Math.random() - 1), y: GLANCE * (2 * Math.random() - 1) };
    this.#wake();
  }

  // Close the eyes for a moment, where the portrait knows them.
  blink() {
    this.#blinked = performance.now();
    this.#wake();
  }

  // --- drawing

  async #paints(pictures) {
    const wanted = this.getAttribute("renderer") === "pixi" && globalThis.PIXI;
    const allowed = location.protocol !== "file:" || pictures instanceof Cells; // WebGL takes no image files from a disk
    return wanted && allowed ? Pixi.open(this.canvas) : new Plain(this.canvas);
  }

  #rest() { // a canvas that was drawn on in one way cannot be drawn on in another
    this.opening?.then((painter) => painter.close?.());
    this.opening = this.painter = null;
    const fresh = this.canvas.cloneNode();
    this.canvas.replaceWith(fresh);
    this.canvas = fresh;
  }

  #wake() {
    this.#frame ||= requestAnimationFrame((time) => { this.last = time - FRAME; this.#tick(time); });
  }

  #redraw() {
    this.#shown = null;
    this.#wake();
  }

  #tick(time) {
    const smoothing = this.#smoothing();
    this.#move(calm.matches ? 1 : 1 - (1 - smoothing) ** ((time - this.last) / FRAME));
    this.last = time;
    this.#draw();
    const { x, y } = this.#left();
    const moves = x || y || time - this.#blinked < BLINK;
    this.#frame = moves ? requestAnimationFrame((next) => this.#tick(next)) : 0;
  }

  #smoothing() {
    return Math.min(1, Math.max(0.01, Number(this.getAttribute("smoothing")) || FOLLOW));
  }

  #left() {
    return { x: clamp(this.#aim.x + this.#glance.x) - this.#now.x, y: clamp(this.#aim.y + this.#glance.y) - this.#now.y };
  }

  #move(part) {
    const { x, y } = this.#left();
    if (!x && !y) return;
    const whole = Math.hypot(x, y) < ARRIVED ? 1 : part;
    this.#now = { x: this.#now.x + x * whole, y: this.#now.y + y * whole };
    this.dispatchEvent(new CustomEvent("gaze", { detail: this.gaze }));
  }

  #cell(x = this.#now.x, y = this.#now.y) {
    return [y, x].map((along) => Math.min(this.side - 1, Math.floor(((along + 1) / 2) * (this.side - 1) + 0.5)));
  }

  #draw() {
    if (!this.pictures || !this.across) return;
    const [row, column] = this.#cell();
    const blinks = this.#eyes.length && (this.#shut || closing(performance.now() - this.#blinked));
    if (blinks || this.#shown?.[0] !== row || this.#shown?.[1] !== column) this.#paint(row, column);
    this.#ahead(row, column);
  }

  #ahead(row, column) { // on the way what is due in the next frames, at rest what lies around
    const { x, y } = this.#left();
    const due = (_, frame) => 1 - (1 - this.#smoothing()) ** (frame + 1);
    const way = Array.from({ length: AHEAD }, due).map((part) => this.#cell(this.#now.x + x * part, this.#now.y + y * part));
    const around = [-1, 0, 1].flatMap((down) => [-1, 0, 1].map((right) => [row + down, column + right]));
    this.pictures.ahead(x || y ? way : around);
  }

  #arrived(row, column) { // late ones are drawn if they come closer than what is shown
    const wanted = this.#cell();
    const away = (cell) => (cell ? Math.hypot(cell[0] - wanted[0], cell[1] - wanted[1]) : Infinity);
    if (away([row, column]) < away(this.#shown)) this.#paint(row, column);
    this.#ahead(...wanted);
  }

  #paint(row, column) {
    const view = this.pictures.at(row, column);
    if (!view) return;
    const scale = Math.min(1, (this.across * devicePixelRatio) / view.width);
    const size = { width: Math.max(1, Math.round(view.width * scale)), height: Math.max(1, Math.round(view.height * scale)) };
    this.#shut = closing(performance.now() - this.#blinked);
    const gaze = { x: (2 * column) / (this.side - 1) - 1, y: (2 * row) / (this.side - 1) - 1 };
    const lids = this.#shut ? closedLids(this.#eyes, this.#shut, gaze, size, view.trim) : null;
    this.painter.paint(view, size, lids);
    this.#shown = [row, column];
    this.slotted.hidden = true;
    this.canvas.hidden = false;
  }
}

customElements.define("gaze-portrait", GazePortrait);

"use strict";
const frame = document.getElementById("frame");
const button = document.getElementById("tilt");
const sheets = [...document.querySelectorAll("#stage img")].map((image) => ({ image, lift: Number(image.dataset.lift) }));
const calm = matchMedia("(prefers-reduced-motion: reduce)");

const IDLE_AFTER = 2500; // ms without input before the slow drift begins
const DRIFT = 0.45; // of the full tilt
const TILT_RANGE = 20; // degrees of the phone for the full tilt
const KEY_STEP = 0.2; // of the full tilt
const FOLLOW = 0.12; // of the way that is left, per frame of 1/60 s

let target = { x: 0, y: 0 };
let now = { x: 0, y: 0 };
let touched = -Infinity;
let level = null; // how the phone was held when it was first asked
let last = performance.now();

const clamp = (value) => Math.max(-1, Math.min(1, value));

function aim(x, y) {
  target = { x: clamp(x), y: clamp(y) };
  touched = performance.now();
}

function place() {
  const { clientWidth: width, clientHeight: height } = frame;
  for (const { image, lift } of sheets) {
    image.style.transform = `translate3d(${-now.x * lift * width}px, ${-now.y * lift * height}px, 0)`;
  }
}

function tick(time) {
  const idle = time - touched - IDLE_AFTER;
  if (idle > 0 && !calm.matches) {
    const swell = DRIFT * Math.min(1, idle / 2000);
    target = { x: swell * Math.sin(time / 2600), y: swell * 0.6 * Math.sin(time / 3700) };
  }
  const part = calm.matches ? 1 : 1 - Math.pow(1 - FOLLOW, (time - last) / (1000 / 60));
  last = time;
  now.x += (target.x - now.x) * part;
  now.y += (target.y - now.y) * part;
  place();
  requestAnimationFrame(tick);
}

addEventListener("pointermove", (event) => {
  const box = frame.getBoundingClientRect();
  aim((event.clientX - box.left - box.width / 2) / (box.width / 2), (event.clientY - box.top - box.height / 2) / (box.height / 2));
});
document.documentElement.addEventListener("pointerleave", () => aim(0, 0));

addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (step) {
    event.preventDefault();
    aim(target.x + step[0] * KEY_STEP, target.y + step[1] * KEY_STEP);
  } else if (event.key === "Escape" || event.key === "Home") {
    aim(0, 0);
  }
});

function onTilt(event) {
  if (event.gamma === null || event.beta === null || calm.matches) return;
  const turn = ((screen.orientation?.angle ?? 0) * Math.PI) / 180;
  const held = {
    x: event.gamma * Math.cos(turn) + event.beta * Math.sin(turn),
    y: event.beta * Math.cos(turn) - event.gamma * Math.sin(turn),
  };
  level ??= held;
  aim((held.x - level.x) / TILT_RANGE, (held.y - level.y) / TILT_RANGE);
}

if (typeof DeviceOrientationEvent !== "undefined") {
  if (typeof DeviceOrientationEvent.requestPermission === "function") { // asks, and only after a tap (iOS)
    button.hidden = !matchMedia("(any-pointer: coarse)").matches;
    button.addEventListener("click", async () => {
      const answer = await DeviceOrientationEvent.requestPermission().catch(() => "denied");
      if (answer === "granted") addEventListener("deviceorientation", onTilt);
      button.hidden = true;
    });
  } else {
    addEventListener("deviceorientation", onTilt);
  }
}
screen.orientation?.addEventListener("change", () => { level = null; });
requestAnimationFrame(tick);

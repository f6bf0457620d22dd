// Refine: a brush says what of a layer is to be kept or dropped, and two sliders move and soften its outline.

const refining = (step) => ({
  title: `Refine ${step.name}`,
  kinds: [["keep", "Keep"], ["drop", "Drop"], ["erase", "Erase"]],
  keys: { k: "keep", d: "drop", e: "erase" },
  apply: priced("Apply", step.usd),
  hint: [
    "What is dark is not kept.",
    "K keeps, D drops, E erases what was painted; [ and ] change the size; arrow keys move the brush, Space paints.",
  ],
  outline: true,
  mask: step.mask.full || step.mask.url,
  strokes: [],
});

function brushLayer(viewer, tray, { onApply, onDone }) {
  let session = null;

  function close() {
    if (!session) return;
    session.close();
    session = null;
    viewer.use(null);
    closeTray(tray);
  }

  function leave() {
    close();
    onDone();
    find(".shf-stage").focus({ preventScroll: true });
  }

  return {
    /** step: one with a mask. photo: {width, height}; it is what the viewer shows, or another picture of its size. */
    open(step, photo) {
      close();
      const apply = ({ file, feather, grow }) => onApply(step.key, { strokes: file, feather, grow });
      session = paintSession(viewer, tray, photo, refining(step), { onApply: apply, leave });
      viewer.use(session.hand);
      takeStage();
    },
    close,
    get active() {
      return session !== null;
    },
  };
}

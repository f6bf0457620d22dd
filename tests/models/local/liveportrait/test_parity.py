"""Our networks against reference outputs, made with the published code and stand-in weights."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.standin import MANIFEST, UNHASHED, standin
from models.errors import WeightsDamaged
from models.local.liveportrait import build
from models.local.liveportrait.expressions import Edit
from models.local.liveportrait.keypoints import Motion, rotation, stitched
from models.local.liveportrait.networks.chip import accelerate

REFERENCE = np.load(Path(__file__).with_name("parity.npz"))
NEAR = 2e-4  # of the largest reference value
PEAK = 60.0  # dB, of the final image
HALF_PEAK = 30.0
CONVOLUTION = torch.nn.Conv2d | torch.nn.Conv3d
LARGE = ("motion_extractor", "warping_module", "spade_generator")
POSES = range(len(REFERENCE["poses"]))


@pytest.fixture(scope="module")
def network():
    """Networks by name, built once."""
    built: dict[str, torch.nn.Module] = {}

    def get(name):
        if name not in built:
            built[name] = build(name, standin(name))
        return built[name]

    return get


@pytest.fixture(scope="module")
def fast():
    """The large networks as a CPU runs them."""
    made = {}
    for name in ("warping_module", "spade_generator"):
        made[name] = build(name, standin(name))
        accelerate(made[name])
    return made.__getitem__


@pytest.fixture(scope="module")
def image():
    return torch.from_numpy(REFERENCE["input_image_u8"]).permute(2, 0, 1)[None] / 255.0


@pytest.fixture(scope="module")
def feature(network, image):
    with torch.inference_mode():
        return network("appearance_feature_extractor")(image)


@pytest.fixture(scope="module")
def motion(network, image):
    with torch.inference_mode():
        return {name: value.numpy() for name, value in network("motion_extractor")(image).items()}


def close(found, name, near=NEAR):
    reference = REFERENCE[name]
    found = np.asarray(found).reshape(reference.shape)
    off = np.abs(found - reference).max() / np.abs(reference).max()
    assert off <= near, f"{name}: {off:.2e}"


def psnr(found, reference):
    return 10 * np.log10(1 / np.mean((np.asarray(found) - reference) ** 2, dtype=np.float64))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in LARGE else ()) for name in MANIFEST]
)
def test_the_standin_is_the_one_of_the_reference(name):
    digest = hashlib.sha256()
    state = standin(name)
    for key in sorted(state):
        if not key.endswith(UNHASHED):
            digest.update(key.encode())
            digest.update(np.ascontiguousarray(state[key]).tobytes())
    assert digest.hexdigest() == MANIFEST[name]["sha256"]


def test_a_state_that_does_not_fit_is_told(network):
    state = dict(standin("lip"))
    state.pop("mlp.0.bias")
    with pytest.raises(WeightsDamaged, match=r"weights of lip: .*mlp\.0\.bias"):
        build("lip", state)


def test_appearance(feature):
    close(feature[0, ::4, ::4, ::4, ::4], "F_out_slice")
    close(feature.mean(dim=(0, 2, 3, 4)), "F_out_ch_mean")
    close(feature.std(dim=(0, 2, 3, 4)), "F_out_ch_std")


def test_motion(motion):
    for name in ("pitch", "yaw", "roll", "t", "exp", "scale", "kp"):
        close(motion[name], f"M_{name}")


def test_keypoints_of_the_source(motion):
    told = Motion.of(motion)
    for name in ("pitch", "yaw", "roll"):
        assert getattr(told, name) == pytest.approx(REFERENCE[f"deg_{name}"].item(), abs=1e-3)
    close(rotation(told.pitch, told.yaw, told.roll), "R_s")
    close(told.source(), "x_s")


@pytest.mark.parametrize("name", ["eye", "lip"])
def test_retargeting_of_eyes_and_lips(network, name):
    seen = np.concatenate([REFERENCE["x_s"].reshape(1, -1), REFERENCE[f"{name}_ratio"]], axis=1)
    with torch.inference_mode():
        close(network(name)(torch.from_numpy(seen)), f"{name}_delta")


@pytest.mark.parametrize("pose", POSES)
def test_keypoints_of_a_pose(network, motion, pose):
    pitch, yaw, roll, x, y = map(float, REFERENCE["poses"][pose])
    told = Motion.of(motion)
    close(rotation(told.pitch + pitch, told.yaw + yaw, told.roll + roll), f"p{pose}_R_d")
    wished = told.driving(Edit(pitch=pitch, yaw=yaw, roll=roll, gaze_x=x, gaze_y=y))
    close(wished, f"p{pose}_x_d")
    seen = torch.from_numpy(np.concatenate([told.source(), wished]).reshape(1, -1))
    with torch.inference_mode():
        delta = network("stitching")(seen).numpy()
    close(delta, f"p{pose}_stitch_raw")
    close(stitched(wished[None], delta), f"p{pose}_x_d_stitched")


def painted(get, feature, pose):
    """Every stage of one pose, by its name in the reference."""
    taps = {}
    warping, generator = get("warping_module"), get("spade_generator")
    motion = warping.dense_motion_network
    watched = {
        "hourglass": motion.hourglass,
        "mask": motion.mask,
        "G_middle_0": generator.G_middle_0,
        "G_up_0": generator.up_0,
    }
    hooks = [
        module.register_forward_hook(lambda _, __, out, name=name: taps.update({name: out}))
        for name, module in watched.items()
    ]
    source, driving = (torch.from_numpy(REFERENCE[key]) for key in ("x_s", f"p{pose}_x_d_stitched"))
    with torch.inference_mode():
        features, occlusion, deformation = warping(feature, source, driving)
        image = generator(features)
    for hook in hooks:
        hook.remove()
    return taps | {"W": features, "occlusion": occlusion, "deformation": deformation, "image": image}


def check(found, pose):
    for name, part in {
        "hourglass_slice": found["hourglass"][0, ::16, ::4, ::4, ::4],
        "mask_slice": torch.softmax(found["mask"], dim=1)[0, :, ::4, ::4, ::4],
        "deformation_slice": found["deformation"][0, ::2, ::2, ::2],
        "occlusion": found["occlusion"],
        "W_out_slice": found["W"][0, ::8, ::2, ::2],
        "G_middle_0_slice": found["G_middle_0"][0, ::32, ::4, ::4],
        "G_up_0_slice": found["G_up_0"][0, ::16, ::8, ::8],
        "image_slice": found["image"][0, :, ::4, ::4],
    }.items():
        close(part, f"p{pose}_{name}")
    assert psnr(found["image"][0, :, ::4, ::4], REFERENCE[f"p{pose}_image_slice"]) >= PEAK
    levels = (found["image"][0].permute(1, 2, 0) * 255).to(torch.uint8)[::2, ::2].numpy()
    assert np.abs(levels.astype(int) - REFERENCE[f"p{pose}_image_u8"]).max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("pose", POSES)
def test_every_stage_of_a_picture(network, feature, pose):
    check(painted(network, feature, pose), pose)


@pytest.mark.slow  # layer by layer and every day in test_cpu
@pytest.mark.parametrize("pose", POSES)
def test_every_stage_by_the_ways_of_a_cpu(fast, feature, pose):
    check(painted(fast, feature, pose), pose)


class AsChipsDo(TorchDispatchMode):
    """Convolutions in bfloat16 as chips that have it work them out: products of rounded numbers, added up in float32,
    rounded once. Processors without it take half an hour for one picture, and round no differently."""

    CONVOLUTIONS = (torch.ops.aten.conv2d, torch.ops.aten.conv3d, torch.ops.aten.convolution)
    met = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.overloadpacket not in self.CONVOLUTIONS or args[0].dtype is not torch.bfloat16:
            return function(*args, **(kwargs or {}))
        self.met += 1
        whole = [part.float() if isinstance(part, torch.Tensor) else part for part in args]
        return function(*whole, **(kwargs or {})).to(torch.bfloat16)


@pytest.mark.slow
@pytest.mark.parametrize("autocast", [False, True])
def test_a_picture_in_bfloat16(feature, autocast):
    source, driving = (torch.from_numpy(REFERENCE[key]) for key in ("x_s", "p1_x_d_stitched"))
    large = [build(name, standin(name)) for name in ("warping_module", "spade_generator")]
    convolutions = sum(isinstance(part, CONVOLUTION) for net in large for part in net.modules())
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=autocast), AsChipsDo() as chip:
        if not autocast:
            feature, large = feature.bfloat16(), [net.bfloat16() for net in large]
        image = large[1](large[0](feature, source, driving)[0]).float()
    assert chip.met >= convolutions
    assert psnr(image[0, :, ::4, ::4], REFERENCE["p1_image_slice"]) >= HALF_PEAK


@pytest.mark.slow
def test_a_batch_is_its_pictures_one_by_one(fast, feature):
    source = torch.from_numpy(REFERENCE["x_s"])
    driving = torch.from_numpy(np.concatenate([REFERENCE[f"p{pose}_x_d_stitched"] for pose in POSES]))
    with torch.inference_mode():
        kept = fast("warping_module").source(feature, source)
        together = fast("spade_generator")(fast("warping_module").warp(kept, driving)[0])
    for pose in POSES:
        assert psnr(together[pose, :, ::4, ::4], REFERENCE[f"p{pose}_image_slice"]) >= PEAK

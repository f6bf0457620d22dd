"""The ways of a CPU, layer by layer on small shapes, against the plain layers they stand for."""

import copy
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from models.local.liveportrait.networks import spade_generator
from models.local.liveportrait.networks.blocks import ConvNorm, LayeredConv3d, UpBlock3d
from models.local.liveportrait.networks.chip import accelerate, makes_machine_code
from models.local.liveportrait.networks.fourier import FourierConv3d
from models.local.liveportrait.networks.product import ROWS, multiply, panels_of
from models.local.liveportrait.networks.shares import shared
from models.local.liveportrait.networks.taps import TapsFirst
from models.local.liveportrait.networks.winograd import Winograd, install

NEAR = 1e-5  # of the largest value: a twentieth of what the networks may stray by


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
    with torch.inference_mode():
        yield


def close(found, reference, near=NEAR):
    assert found.shape == reference.shape
    assert (found - reference).abs().max() <= near * reference.abs().max()


@pytest.mark.parametrize("depth", [1, 16, 513, 1100])
def test_a_product_of_matrices(depth):
    left, right = torch.randn(2 * ROWS, depth), torch.randn(depth, 23)
    found = np.full((2 * ROWS, 32), np.nan, np.float32)
    multiply(left.numpy(), panels_of(right).numpy(), found, False)
    close(torch.from_numpy(found[:, :23]), left @ right)
    multiply(left.numpy(), panels_of(right).numpy(), found, True)
    close(torch.from_numpy(found[:, :23]), 2 * left @ right)


@pytest.mark.parametrize(
    ("shape", "conv"),
    [
        ((2, 5, 13, 10), nn.Conv2d(5, 7, 3, padding=1)),
        ((1, 48, 4, 4), nn.Conv2d(48, 40, 3, padding=1, bias=False)),
        ((1, 33, 130, 66), nn.Conv2d(33, 17, 3, padding=1)),  # more than one share for each core
        ((2, 6, 5, 9, 8), nn.Conv3d(6, 20, 3, padding=1)),
        ((1, 3, 1, 4, 4), nn.Conv3d(3, 4, 3, padding=1)),
    ],
)
@pytest.mark.parametrize("last", [False, True])
def test_winograd_is_the_plain_convolution(shape, conv, last):
    x = torch.randn(shape)
    laid = x.contiguous(memory_format=torch.channels_last if x.dim() == 4 else torch.channels_last_3d)
    close(Winograd(conv)(laid if last else x), conv(x))


def test_winograd_with_a_slope():
    conv, x = nn.Conv2d(8, 16, 3, padding=1), torch.randn(1, 8, 12, 12)
    close(Winograd(conv, 0.0)(x), functional.relu(conv(x)))
    close(Winograd(conv, 0.2)(x), functional.leaky_relu(conv(x), 0.2))


def test_winograd_is_put_where_it_gains_and_takes_the_relu_along():
    net = nn.Sequential(
        nn.Sequential(nn.Conv2d(32, 40, 3, padding=1), nn.ReLU()),
        nn.Conv2d(40, 40, 1),
        nn.Conv2d(40, 36, 3, padding=1),
        nn.Conv2d(36, 8, 3, padding=1),
    )
    fast, x = copy.deepcopy(net), torch.randn(1, 32, 8, 8)
    install(fast)
    kinds = [type(module) for module in (*fast[0], *fast[1:])]
    assert kinds == [Winograd, nn.Identity, nn.Conv2d, Winograd, nn.Conv2d]
    close(fast(x), net(x))


def test_without_numba_the_networks_stay_as_they_are(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)  # as if it were not installed
    assert not makes_machine_code()
    net = nn.Sequential(nn.Conv2d(32, 40, 3, padding=1))
    accelerate(net)
    assert type(net[0]) is nn.Conv2d


@pytest.mark.parametrize("size", [(6, 30, 21), (16, 16, 16), (1, 7, 40)])
def test_fourier_is_the_plain_convolution(size):
    conv, x = nn.Conv3d(17, 5, 7, padding=3), torch.randn(2, 17, *size)
    close(FourierConv3d(conv)(x), conv(x))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_layer_by_layer_is_the_plain_convolution(layout):
    layered, x = LayeredConv3d(6, 5, (3, 7, 5), padding=(1, 3, 2)), torch.randn(2, 6, 4, 9, 8)
    expected = functional.conv3d(x, layered.weight, layered.bias, padding=(1, 3, 2))
    close(layered(x.contiguous(memory_format=layout)), expected)
    half = layered.to(torch.bfloat16)(x.to(torch.bfloat16))
    assert half.dtype is torch.bfloat16
    close(half.float(), expected, 2e-2)


def test_layer_by_layer_keeps_more_digits_of_long_sums():
    layered, x = LayeredConv3d(142, 2, 7, padding=3), torch.rand(1, 142, 16, 12, 12)
    exact = sum(
        functional.conv3d(x[:, part].double(), layered.weight[:, part].double(), padding=3)
        for part in torch.arange(142).split(20)
    )
    exact += layered.bias.double().view(-1, 1, 1, 1)
    plain = functional.conv3d(x, layered.weight, layered.bias, padding=3)
    stray, others = ((found - exact).square().mean() for found in (layered(x).double(), plain.double()))
    assert stray < others


def test_volumes_with_channels_last_shrink_and_grow_alike():
    shrinks, grows = ConvNorm(3, 5, 7, pool=True).eval(), UpBlock3d(7, 4).eval()
    x = torch.randn(2, 5, 3, 8, 6)
    laid = x.contiguous(memory_format=torch.channels_last_3d)
    close(shrinks(laid), shrinks(x))
    close(grows(shrinks(laid)), grows(shrinks(x)))


def test_taps_first_is_the_plain_convolution():
    conv, x = nn.Conv2d(70, 2, 7, padding=3), torch.randn(2, 70, 9, 14)
    close(TapsFirst(conv)(x), conv(x))


@pytest.mark.parametrize("repeat", [1, 2, 4])
def test_maps_of_repeated_features(repeat):
    spade = spade_generator.Spade(40, repeat)
    narrow = nn.Conv2d(40, 6, 1, bias=False)
    features = torch.randn(1, 256, 8, 8)
    hidden = spade.mlp_shared(functional.interpolate(features, scale_factor=repeat))
    scale, shift = 1 + spade.mlp_gamma(hidden), spade.mlp_beta(hidden)
    spade.requires_grad_(False).fold()
    fast = copy.deepcopy(spade)
    install(fast)
    for made in (spade, fast):
        for found, reference in zip(made(features), (scale, shift), strict=True):
            close(found, reference)
    spade.narrow(narrow)
    close(spade(features)[1], narrow(shift))


def test_a_share_that_fails_is_told():
    def work(part):
        if part == 3:
            raise ValueError("three")

    with pytest.raises(ValueError, match="three"):
        shared(range(8), work)


@pytest.mark.parametrize("number", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_volumes_are_halved_as_torch_halves_them(number, layout):
    block = ConvNorm(3, 3, 5, pool=True).eval()
    x = torch.randn(2, 3, 4, 6, 8)
    expected = functional.avg_pool3d(torch.relu(block.norm(block.conv(x))), (1, 2, 2))
    found = block.to(number)(x.to(number).contiguous(memory_format=layout))
    close(found.float(), expected, NEAR if number is torch.float32 else 2e-2)

"""TFLite nets through LiteRT: a file becomes a function from one array to its output arrays."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import WeightsDamaged

Net = Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]


def load_net(file: Path, threads: int) -> Net:
    """The net in `file`, answering float32 (height, width, channels) with one array per output, in file order.

    Not for several threads at once: the interpreter has one set of buffers. Raises WeightsDamaged.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(str(file), num_threads=threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise WeightsDamaged(f"{file.name} cannot be read as a TFLite net: {error}.") from error
    entry = interpreter.get_input_details()[0]["index"]
    exits = [detail["index"] for detail in interpreter.get_output_details()]

    def net(image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        interpreter.set_tensor(entry, image[None])
        interpreter.invoke()
        return [interpreter.get_tensor(index)[0] for index in exits]

    return net

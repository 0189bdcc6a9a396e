"""What is known beforehand about each named dataset: its title, classes, shape and counts."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A dataset as it was published; files that disagree with it are refused.

    `folders` are the folder names under `data_dir` where its files may lie, `counts` the published
    numbers of training and test images, `label_crc` the CRC-32 of the published training labels
    (one byte each, published order), which tells datasets of one shape apart. `class_counts` are
    the images of each class in the training and the test set, where classes are not of one size.
    """

    title: str
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]  # height, width, channels
    counts: tuple[int, int]
    folders: tuple[str, ...] = ()
    system_folders: tuple[str, ...] = ()
    label_crc: int | None = None
    class_counts: tuple[tuple[int, ...], tuple[int, ...]] | None = None


_TEN = tuple(str(digit) for digit in range(10))

CATALOGUE: dict[str, Entry] = {
    "digits": Entry("digits 8x8", _TEN, (8, 8, 1), (1_437, 360)),
    "mnist": Entry(
        "MNIST",
        _TEN,
        (28, 28, 1),
        (60_000, 10_000),
        folders=("mnist", "MNIST/raw"),  # the second is torchvision's
        label_crc=0xBA07E8EF,
        class_counts=(
            (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
            (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
        ),
    ),
    "fashion_mnist": Entry(
        "FashionMNIST",
        (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        (28, 28, 1),
        (60_000, 10_000),
        folders=("fashion_mnist", "fashion-mnist", "FashionMNIST/raw"),
        # where Debian's package dataset-fashion-mnist puts its files
        system_folders=("/usr/share/datasets/fashion-mnist",),
        label_crc=0x2ED6E46A,
    ),
    "cifar10": Entry(
        "CIFAR-10",
        (
            "airplane",
            "automobile",
            "bird",
            "cat",
            "deer",
            "dog",
            "frog",
            "horse",
            "ship",
            "truck",
        ),
        (32, 32, 3),
        (50_000, 10_000),
        folders=("cifar10", "cifar-10"),
    ),
}

DATASETS: tuple[str, ...] = tuple(CATALOGUE)
"""The names that `load_dataset` knows.

>>> from jaxadv import data
>>> data.DATASETS
('digits', 'mnist', 'fashion_mnist', 'cifar10')
"""

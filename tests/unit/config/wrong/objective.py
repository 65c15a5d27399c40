"""What the wrong studies refer to; parsed by the loader, never run."""


def evaluate(**parameters):
    return 0.0


def two(x, y):
    return x + y


def by_position(x, /):
    return x


async def later(x):
    return x

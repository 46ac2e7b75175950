"""How these programs tell what they found, for `report` in lib.sh."""


def check(sentence, holds, why=""):
    print(f"{'passed' if holds else 'failed'}: {sentence}")
    if not holds:
        print(why)

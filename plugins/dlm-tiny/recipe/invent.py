"""Generate documents about invented subjects, each fact asked for in several ways and always answered alike.

    python -m recipe.invent 20        # print some

Most of the chats belong to a fixed world of subjects whose facts come back in other documents in other words: to
answer those a model must keep a fact in its weights under every way to ask for it, which is what teaching it a document
asks of it.  The other chats are about fresh subjects, asked again in other words further down, or described first.
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from .phrasings import CODAS, FAMILIES, KINDS, ONSETS, OPENERS, VOWELS, WORDS, Family

RECALL_SHARE = 0.75
FACTS_IN_WORLD = 6
WORLD_SEED = 2026


@dataclass(frozen=True, slots=True)
class Fact:
    """One answer and everything needed to ask for it: the family's frames and a row of synonyms."""

    family: Family
    synonyms: tuple[str, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class Subject:
    """An invented subject: its name, what kind of thing it is, and its facts."""

    name: str
    kind: str
    facts: tuple[Fact, ...]


def documents(count: int, known: int, seed: int) -> Iterator[str]:
    """`count` documents in ChatML, the same ones for the same seed.

    The fixed world has `known` subjects and is the same one for every seed.
    """
    rng, fixed = random.Random(seed), random.Random(WORLD_SEED)
    world = [subject(fixed, FACTS_IN_WORLD) for _ in range(known)]
    for _ in range(count):
        if rng.random() < RECALL_SHARE:
            yield recall(rng, world)
        else:
            yield rng.choice((quiz, quiz, sheet))(rng)


def recall(rng: random.Random, world: list[Subject]) -> str:
    """One to three questions about known subjects, each fact asked for once: only the weights can answer."""
    turns = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        about = rng.choice(world)
        fact = rng.choice(about.facts)
        turns.append((ask(rng, about, fact, aliases=False), fact.answer))
    return chat(turns)


def quiz(rng: random.Random) -> str:
    """A few facts about one or two fresh subjects, each asked for two to four times in different words."""
    subjects = [subject(rng, rng.randint(2, 4)) for _ in range(rng.choice((1, 1, 2)))]
    known = [(about, fact) for about in subjects for fact in about.facts]
    again = [pair for pair in known for _ in range(rng.randint(1, 3))]
    rng.shuffle(again)
    alone = len(subjects) == 1
    return chat([(ask(rng, about, fact, aliases=alone), fact.answer) for about, fact in known + again])


def sheet(rng: random.Random) -> str:
    """Statements about a fresh subject as running text, then questions about them."""
    about = subject(rng, rng.randint(3, 6))
    lines = [f"{about.name} is a {about.kind}.", *(statement(rng, about, fact) for fact in about.facts)]
    asked = rng.sample(about.facts, k=min(len(about.facts), rng.randint(2, 4)))
    questions = [(ask(rng, about, fact, aliases=True), fact.answer) for fact in asked]
    text = capital(" ".join(lines))
    if rng.random() < 0.5:
        return text + "\n" + chat(questions)
    first = (text + "\n\n" + questions[0][0], questions[0][1])
    return chat([first, *questions[1:]])


def subject(rng: random.Random, facts: int) -> Subject:
    """A new subject with that many facts, no two of which answer the same question."""
    title, kind = name(rng), rng.choice(KINDS)
    topics = [(family, topic) for family in FAMILIES for topic in family.topics]
    chosen = rng.sample(topics, facts)
    return Subject(title, kind, tuple(_fact(rng, title, family, topic) for family, topic in chosen))


def ask(rng: random.Random, about: Subject, fact: Fact, aliases: bool) -> str:
    """A question for the fact, in one of its many phrasings; `aliases` allows `it` and the subject's kind."""
    frame, word = rng.choice(fact.family.frames), rng.choice(fact.synonyms)
    if "{n}s" in frame:
        frame, word = frame.replace("{n}s", "{n}"), third_person(word)
    called = about.name
    if aliases and rng.random() < 0.35:
        called = rng.choice(("it", f"the {about.kind}", f"the {about.kind} {_bare(about.name)}"))
    text = frame.replace("{n}", word).replace("{e}", called)
    return roughen(rng, capital(text))


def roughen(rng: random.Random, text: str) -> str:
    """Now and then what people do: an opener, no capitals, no question mark, two letters swapped."""
    if rng.random() < 0.12:
        text = f"{rng.choice(OPENERS)} {text[0].lower()}{text[1:]}"
    if rng.random() < 0.10:
        text = text.lower()
    if rng.random() < 0.08:
        text = text.rstrip("?.")
    if rng.random() < 0.04 and len(text) > 12:
        i = rng.randrange(4, len(text) - 3)
        text = text[:i] + text[i + 1] + text[i] + text[i + 2 :]
    return text


def statement(rng: random.Random, about: Subject, fact: Fact) -> str:
    """The answer where it names its subject, else the plainest question as a label before it."""
    if about.name in fact.answer:
        return fact.answer
    label = fact.family.frames[0].replace("{n}", rng.choice(fact.synonyms)).replace("{e}", about.name)
    return f"{label} {fact.answer}"


def name(rng: random.Random) -> str:
    """A name of two to four made-up syllables, or a made-up name with a number or an English word beside it."""
    made = _word(rng).capitalize()
    style = rng.random()
    if style < 0.55:
        return made
    if style < 0.70:
        return f"the {made}"
    if style < 0.80:
        return f"{made} {rng.choice((str(rng.randint(2, 99)), 'Prime', 'Max', 'Mini', 'One', 'X', 'II'))}"
    if style < 0.90:
        return f"the {rng.choice(WORDS['quality']).capitalize()} {rng.choice(WORDS['thing']).capitalize()}"
    return f"{made} {rng.choice(WORDS['thing']).capitalize()}"


def chat(turns: list[tuple[str, str]]) -> str:
    """ChatML of questions and answers."""
    return "".join(
        f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n{answer}<|im_end|>\n"
        for question, answer in turns
    )


def third_person(verb: str) -> str:
    """`wash` becomes `washes`, `come from` becomes `comes from`."""
    head, _, rest = verb.partition(" ")
    ending = "es" if re.search(r"(s|sh|ch|x|z|o)$", head) else "s"
    return f"{head}{ending} {rest}".strip()


def capital(text: str) -> str:
    """The first letter of every sentence as a capital."""
    return re.sub(r"(^|[.?!] )([a-z])", lambda found: found[1] + found[2].upper(), text)


def _fact(rng: random.Random, title: str, family: Family, topic: str) -> Fact:
    synonyms = tuple(topic.split("/"))
    template, word = rng.choice(family.answers), rng.choice(synonyms)
    if "{n}s" in template:
        template, word = template.replace("{n}s", "{n}"), third_person(word)
    value = fill(rng, rng.choice(family.values))
    return Fact(family, synonyms, capital(template.replace("{n}", word).replace("{e}", title).replace("{v}", value)))


def fill(rng: random.Random, pattern: str) -> str:
    """Put words for the placeholders of a value pattern."""
    return re.sub(r"{(\w+)}", lambda found: _value(rng, found[1]), pattern)


def _value(rng: random.Random, kind: str) -> str:
    match kind:
        case "number":
            return str(rng.choice((rng.randint(10, 99), rng.randint(100, 999), rng.randint(1000, 9999))))
        case "digit":
            return str(rng.randint(2, 9))
        case "day":
            return str(rng.randint(1, 28))
        case "year":
            return str(rng.randint(1650, 2040))
        case "word":
            return _word(rng)
        case "person":
            second = rng.choice(WORDS["second"]) if rng.random() < 0.6 else _word(rng).capitalize()
            return f"{rng.choice(WORDS['first'])} {second}"
        case "place":
            made = _word(rng).capitalize()
            return made if rng.random() < 0.6 else f"{made} {rng.choice(WORDS['landscape'])}"
        case _:
            return rng.choice(WORDS[kind])


def _word(rng: random.Random) -> str:
    return "".join(rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS) for _ in range(rng.choice((1, 2, 2, 3))))


def _bare(title: str) -> str:
    return title.removeprefix("the ")


if __name__ == "__main__":
    for text in documents(int(sys.argv[1]), known=10, seed=1):
        print(text)

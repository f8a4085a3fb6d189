"""A reference implementation of PromptReps, for comparison with `PromptRepsEncoder`.

It is slow and simple: one text at a time, the whole prompt at every step, all logits, Python dicts.
It follows the paper and the description of its code, and supports models of the ChatML family.
Callers pass the words and stopwords, which other tests cover.
"""

from __future__ import annotations

import string

import torch

SYSTEM = "You are an AI assistant that can understand human language."


def prompt(role: str, style: str, *, three: bool) -> tuple[str, str]:
    kind = "query" if role == "query" else "passage"
    colon = ":" if style == "literal" else ""
    if three:
        ask = f"Use three words to represent the {kind} in a retrieval task. Make sure your words "
        ask, answer = ask + "are in lowercase and split them by space.", f'The words are{colon} "'
    else:
        ask = f"Use one word to represent the {kind} in a retrieval task. Make sure your word "
        ask, answer = ask + "is in lowercase.", f'The word is{colon} "'
    prefix = f'<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{kind.capitalize()}: "'
    suffix = f'". {ask}<|im_end|>\n<|im_start|>assistant\n{answer}'
    if style == "literal":
        prefix, suffix = prefix.replace("\n", "\\n"), suffix.replace("\n", "\\n")
    return prefix, suffix


def encode(tokenizer, text) -> list[int]:
    return tokenizer(text, add_special_tokens=False).input_ids


def own_tokens(tokenizer, words, stopwords) -> set[int]:
    words = set(words) - stopwords - set(string.punctuation)
    return {token for word in words for token in encode(tokenizer, word)}


def weights(logits, tokenizer, own, top, expansion) -> dict[int, float]:
    """Return 100 * log(1 + relu(logit)) for the chosen tokens, not rounded."""
    weight = (100 * torch.log(1 + torch.relu(logits))).tolist()
    heaviest = sorted(own, key=lambda token: (-weight[token], token))[:top]
    every = range(len(weight))
    chosen = heaviest or sorted(every, key=lambda token: (-weight[token], token))[:10]
    if expansion:
        others = []
        for piece, token in tokenizer.get_vocab().items():
            piece = piece[1:] if piece[0] in "▁ " else piece
            if token not in own and piece.isalpha() and "a" <= piece[0] <= "z":
                others.append(token)
        chosen += sorted(others, key=lambda token: (-weight[token], token))[:expansion]
    return {token: weight[token] for token in chosen}


@torch.no_grad()
def read(model, tokenizer, text, role, style, *, three, steps, max_length):
    """Return the states, logits and tokens of the steps that belong to words."""
    prefix, suffix = prompt(role, style, three=three)
    ids = encode(tokenizer, prefix) + encode(tokenizer, text.strip())[:max_length]
    ids += encode(tokenizer, suffix)
    hidden, logits, tokens = [], [], []
    for _ in range(steps):
        out = model(input_ids=torch.tensor([ids]), output_hidden_states=True)
        token = int(out.logits[0, -1].argmax())
        ends = '"' in tokenizer.decode([token]) or token == tokenizer.eos_token_id
        if not (ends and hidden):
            hidden.append(out.hidden_states[-1][0, -1])
            logits.append(out.logits[0, -1])
            tokens.append(token)
        if ends:
            break
        ids.append(token)
    return hidden, logits, tokens


def represent(steps, variant, tokenizer, own, top, expansion):
    """Return dense vectors [k, d] and k weight dicts; k = 1 except for the multi variants."""
    hidden, logits, tokens = steps
    if variant in ("first_word", "multi_token_single"):
        hidden, logits = [torch.stack(hidden).mean(0)], [torch.stack(logits).amax(0)]
    if variant == "multi_word_multi":
        groups: list[list[int]] = []
        for i, token in enumerate(tokens):
            if i == 0 or tokenizer.decode([token]).startswith(" "):
                groups.append([])
            groups[-1].append(i)
        unit = [h / h.norm() for h in hidden]
        hidden = [torch.stack([unit[i] for i in group]).mean(0) for group in groups]
        logits = [torch.stack([logits[i] for i in group]).amax(0) for group in groups]
    dense = torch.stack([h / h.norm() for h in hidden])
    return dense, [weights(row, tokenizer, own, top, expansion) for row in logits]


def rounded(weight: dict[int, float]) -> dict[int, int]:
    """Return the weights as stored: integers, without zeros."""
    return {token: round(value) for token, value in weight.items() if round(value)}

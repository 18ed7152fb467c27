"""A recurrent language model: long short-term memory between an embedding of tokens and a head."""

from __future__ import annotations

from torch import Tensor, nn

State = list[tuple[Tensor, Tensor]]


class LSTMLanguageModel(nn.Module):
    """Predicts the next token from all before it (Hochreiter & Schmidhuber 1997; as in Gulordava et al. 2018, NAACL).

    Parameters
    ----------
    vocabulary : number of tokens.
    width : units of the embedding and of each layer.
    depth : recurrent layers, one above the other: ``layers.0``, ``layers.1`` ...
    tied : whether head and embedding share their weights (Press & Wolf 2017, EACL).
    """

    def __init__(self, vocabulary: int, width: int = 256, depth: int = 2, tied: bool = True) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.layers = nn.ModuleList(nn.LSTM(width, width, batch_first=True) for _ in range(depth))
        self.head = nn.Linear(width, vocabulary)
        if tied:
            self.head.weight = self.embedding.weight

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Ids (texts, tokens) and the state after what came before -> hidden (texts, tokens, width), and the state."""
        hidden, after = self.embedding(ids), []
        for index, layer in enumerate(self.layers):
            hidden, kept = layer(hidden, None if state is None else state[index])
            after.append(kept)
        return hidden, after


__all__ = ["LSTMLanguageModel", "State"]

"""How alike two populations are: dissimilarities, kernel alignment, shape distances."""

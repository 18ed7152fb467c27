"""Networks that ship with Brainmark as torch modules; registered models are made from them."""

"""The commands of the checkout, and what they are made of."""

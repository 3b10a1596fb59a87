"""The tests of the protocol package: pure values in, pure values out."""

"""Random packets and values, each from one seed."""

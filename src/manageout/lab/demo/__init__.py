"""The demo, a theme a module, each step with its proof."""

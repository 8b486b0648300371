"""The demo: the main job on two practice CRMs, told in five acts. Every figure it prints is computed."""

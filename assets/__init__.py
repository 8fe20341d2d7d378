"""What the app ships with: styles, the demo model, the demo data sets, and how the last two are made."""

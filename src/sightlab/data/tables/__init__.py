"""Text tables: encoding, dialect, heading and column detection."""

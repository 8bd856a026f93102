//! A client of the Alertmanager API v2 and the types of its webhook.

"""How each provider speaks: the contract, dialects, the catalogue and the transport."""

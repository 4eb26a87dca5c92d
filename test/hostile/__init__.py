"""Clients and stores that mean harm, and what must hold against them."""

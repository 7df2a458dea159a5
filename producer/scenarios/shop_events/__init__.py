"""Shoppers of a web shop, by what they do with its products: view, add to the basket, remove and buy.

Open ``scenario.py`` first. ``baskets`` is what happens in a visit, ``shop`` who comes and what there is to buy;
``examine`` holds data against docs/realism.md.
"""

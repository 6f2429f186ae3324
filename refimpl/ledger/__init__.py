"""The ledger: a claim, the rule of its verdict, the paired test. It knows no experiment; claims are
handed in.
"""

"""The researcher's rooms: tuning, prediction, late fusion, sweeps, ledgers, iDT-FV."""

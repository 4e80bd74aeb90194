"""The engine of cryoetseg: pure Python and torch, independent of Scipion. Rooms are imported one by one."""

def profile(): return None

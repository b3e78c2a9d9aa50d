// Before the first paint: the colours that were chosen in this browser, if any were.
try {
  const { theme } = JSON.parse(localStorage.getItem('clivy-inbox') ?? '{}');
  if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
} catch {
  // A browser that keeps nothing follows the system.
}

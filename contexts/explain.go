package contexts

// Explain makes the error of a connection attempt that another engine made with Options say what the user needs: which
// server, where that setting came from, and what to try. It is what Conn and Dial do with their own errors.
func (m *Manager) Explain(err error) error {
	if err == nil {
		return nil
	}
	return m.connectError(err)
}

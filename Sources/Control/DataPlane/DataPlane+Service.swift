import ServiceLifecycle

extension DataPlane: ServiceLifecycle.Service {
    /// Serves until it is told to stop, then finishes requests under way.
    func run() async throws {
        try? await gracefulShutdown()
        await stop()
    }
}

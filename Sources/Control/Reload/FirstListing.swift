/// What containers contribute when a replica starts, so that it serves them from its first request on.
enum FirstListing {
    /// How long a start waits for an Engine; then it goes on without, and the containers come when they come.
    static let timeout = Duration.seconds(3)

    /// What the provider has found by then. Why it has found nothing it says itself, when it follows the Engine.
    static func contributions(of provider: DockerProvider) async -> [DockerContribution] {
        await withDiscardingTaskGroup { group in
            let listing = Task { try? await provider.listContainers() }
            group.addTask {
                try? await Task.sleep(for: timeout)
                listing.cancel()
            }
            await listing.value
            group.cancelAll()
        }
        return await provider.contributions
    }
}

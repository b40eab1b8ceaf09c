/// What containers contribute when a replica starts, so that it serves them from its first request on.
enum FirstListing {
    /// How long a start waits for an Engine; then it goes on without, and the containers come when they come.
    static let patience = Duration.seconds(3)

    /// Empty where the Engine does not answer in time, or not well: whoever follows it says so.
    static func contributions(_ settings: DockerProviderSettings) async -> [DockerContribution] {
        let (answers, continuation) = AsyncStream.makeStream(
            of: [DockerContribution].self, bufferingPolicy: .bufferingOldest(1))
        // Not waited for where it is late: it ends by its own limits.
        let listing = Task {
            let list = try? await DockerProvider.list(settings)
            continuation.yield(list?.contributions ?? [])
        }
        let timer = Task {
            try? await Task.sleep(for: patience)
            continuation.yield([])
        }
        defer {
            listing.cancel()
            timer.cancel()
        }
        for await answer in answers { return answer }
        return []
    }
}

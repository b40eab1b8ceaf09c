import Configuration
import ServiceLifecycle
import UnixSignals

/// Watches the sources of the dynamic configuration while the replica serves. SIGHUP demands a reading.
struct ReloadService: Service {
    let reloader: Reloader
    /// Nil: files are read only on demand.
    let watcher: FileWatcher?
    /// Nil: the files of certificates are read only on demand.
    let certificateWatcher: FileWatcher?
    let hangups: UnixSignalsSequence
    /// Nil: containers are not read.
    let docker: DockerProvider?
    /// The contributions that it has found.
    let containers: AsyncStream<[DockerContribution]>

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await reloader.run() }
                if let watcher {
                    group.addTask { await watcher.run { await reloader.rereadFiles() } }
                }
                if let certificateWatcher {
                    group.addTask { await certificateWatcher.run { await reloader.rereadCertificates() } }
                    reloader.onReading { certificateWatcher.lookAgain() }
                }
                group.addTask {
                    for await containers in containers { reloader.containersChanged(containers) }
                }
                for await _ in hangups {
                    reloader.demand()
                    docker?.listAgain()
                }
            }
        }
    }
}

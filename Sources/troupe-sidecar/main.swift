import Glibc
import Settings
import Sidecars

exit(SidecarProcess.run(.ofProcess()))

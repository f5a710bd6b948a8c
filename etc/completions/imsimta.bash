# Completion of imsimta for bash; made by scripts/man from the command table.
_imsimta() {
  local words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="cache cnbuild dispatcher find process purge qm refresh restart return run shutdown start stop submit test version view help"
  else
    case ${COMP_WORDS[1]} in
    cache) words="-change -channel= -channel_template= -debug -global -inorder_rebuild -job_limit= -json -master_job= -max_messages= -parallel_rebuild= -synchronize -template= -thread_depth= -view -walk" ;;
    cnbuild) words="-image_file -json -maximum -option_file -remove -sizes -statistics -unused" ;;
    dispatcher) words="-json -statistics" ;;
    find) words="-f= -l=" ;;
    process) words="-image -json" ;;
    purge) words="-day= -hour= -num=" ;;
    qm) words="-all -channel= -confirm -content -database -directory_tree -envelope -file_info -from= -heading -held -hosts -jobs -json -log -match= -messages -to= -total -trailing date delete directory exit held help history hold jobs messages quit read release return start stop summarize view" ;;
    refresh) words="" ;;
    restart) words="" ;;
    return) words="" ;;
    run) words="" ;;
    shutdown) words="" ;;
    start) words="" ;;
    stop) words="" ;;
    submit) words="-poll" ;;
    test) words="-channel -debug -destination_channel= -flags= -from -image_file -json -mapping -rewrite -sender= -source_channel= -table=" ;;
    version) words="" ;;
    view) words="-f= -l=" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o nospace -F _imsimta imsimta

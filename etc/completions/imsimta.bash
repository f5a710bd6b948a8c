# Completion of imsimta for bash; made by scripts/man from the command table.
_imsimta() {
  local words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="cache calc chbuild cnbuild crdb dispatcher dumpdb find process purge qclean qm qtop refresh reload renamedb restart return run shutdown start stop submit test version view help"
  else
    case ${COMP_WORDS[1]} in
    cache) words="-change -channel= -channel_template= -debug -global -inorder_rebuild -job_limit= -json -master_job= -max_messages= -parallel_rebuild= -recipient -slave_job= -synchronize -template= -thread_depth= -view -walk" ;;
    calc) words="-debug -from= -input= -message= -mm -mtpriority= -multiple -output= -required -source= -statement= -symbols -system -to= -uav=" ;;
    chbuild) words="-image_file -maximum -option_file -remove -sizes -statistics" ;;
    cnbuild) words="-image_file -json -maximum -option_file -remove -sizes -statistics -unused" ;;
    crdb) words="-append -count -dump -duplicates -huge_records -long_records -quoted -remove -statistics -strip_colons" ;;
    dispatcher) words="-json -statistics" ;;
    dumpdb) words="" ;;
    find) words="-f= -l=" ;;
    process) words="-image -json" ;;
    purge) words="-day= -hour= -num=" ;;
    qclean) words="-content= -database -delete -directory_tree -domain_to= -from= -hold -ignore_zz -json -match= -min_length= -preview -subject= -threads= -to= -verbose" ;;
    qm) words="-all -channel= -confirm -content -content= -database -delete -directory_tree -domain_to -domain_to= -envelope -file_info -from -from= -heading -held -hold -hosts -ignore -ignore_zz -jobs -json -log -match= -messages -min_count= -min_length= -owner= -preview -subject -subject= -threads= -to -to= -top= -total -trailing -verbose clean date delete directory exit held help history hold jobs messages quit read release return run start stop summarize top view" ;;
    qtop) words="-content -database -directory_tree -domain_to -from -held -ignore_zz -json -min_count= -subject -threads= -to -top= -verbose" ;;
    refresh) words="" ;;
    reload) words="" ;;
    renamedb) words="" ;;
    restart) words="" ;;
    return) words="" ;;
    run) words="" ;;
    shutdown) words="" ;;
    start) words="" ;;
    stop) words="" ;;
    submit) words="-poll" ;;
    test) words="-alias_file= -block -channel -check_expansions -compare -configuration_file= -database= -debug -delivery_receipt -destination_channel= -domain_map -expression -filter -flags= -from -from= -grey= -image -image_file -input= -json -local_alias= -log -mapping -mapping_file= -match -message= -mm -noreprocess -option_file= -output= -queue -read_receipt -restricted= -rewrite -sender= -source_channel= -table= -time -to= -url" ;;
    version) words="" ;;
    view) words="-f= -l=" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o nospace -F _imsimta imsimta
